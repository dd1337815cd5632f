import type { Context } from '../../../module.ts';

export type SecretKind = 'BASIC' | 'API_KEY';

/** A Secret that can protect gateways: never a value of it. */
export interface GatewaySecretView {
  name: string;
  namespace: string;
  kind: SecretKind;
  /** Users or clients, sorted. */
  principals: string[];
  /** Why it can't serve; null when it can. */
  problem: string | null;
}

/** Shown once, in the answer to the mutation that made it. */
export interface GeneratedCredential {
  principal: string;
  value: string;
}

export interface SecretResult {
  secret: GatewaySecretView;
  generated: GeneratedCredential[];
}

export interface CreateGatewaySecretInput {
  basic?:
    | {
        namespace: string;
        name: string;
        users: readonly { username: string; password?: string | null | undefined }[];
      }
    | null
    | undefined;
  apiKey?: { namespace: string; name: string; clients: readonly string[] } | null | undefined;
}

export interface RotateGatewaySecretInput {
  namespace: string;
  name: string;
  principals?: readonly string[] | null | undefined;
  add?: readonly string[] | null | undefined;
  remove?: readonly string[] | null | undefined;
}

/** The Secrets that gateways ask credentials from. Everything happens with the caller's rights. */
export interface GatewaySecrets {
  list(context: Context, namespace: string, kind: string): Promise<GatewaySecretView[]>;
  create(context: Context, input: CreateGatewaySecretInput): Promise<SecretResult>;
  rotate(context: Context, input: RotateGatewaySecretInput): Promise<SecretResult>;
  /** False when there was none. */
  delete(context: Context, input: { namespace: string; name: string }): Promise<boolean>;
}
