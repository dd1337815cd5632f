import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Context } from '../module.ts';
import { type RequestLimits, limitRules, limits } from '../schema/limits.ts';
import { documentError } from './errors.ts';

/** A document as it was sent, read once. */
export interface KnownDocument {
  /** null when it can't be read. */
  readonly document: DocumentNode | null;
  /** Why it is not carried out; [] when it may be. Introspection is for those who have signed in. */
  errors(anonymous: boolean): readonly GraphQLError[];
}

/** Documents are read and checked once, however often they are sent. */
export interface Documents {
  read(text: string): KnownDocument;
  /** As `errors` of the one that was read. */
  check(document: DocumentNode, anonymous: boolean): readonly GraphQLError[];
}

const ourRules = [...specifiedRules, ...limitRules];
const anonymousRules = [...ourRules, NoSchemaIntrospectionCustomRule];

export function createDocuments(schema: GraphQLSchema, { queryBytes }: Pick<RequestLimits, 'queryBytes'>): Documents {
  const texts = createRecent<KnownDocument>();
  const known = new WeakMap<DocumentNode, KnownDocument>();
  const check = (document: DocumentNode, anonymous: boolean) =>
    validate(schema, document, anonymous ? anonymousRules : ourRules).map(documentError);

  function readNew(text: string): KnownDocument {
    let document: DocumentNode;
    try {
      document = parseWithin(text);
    } catch (error) {
      return refused(error as GraphQLError);
    }
    const found: (readonly GraphQLError[] | undefined)[] = [];
    const errors = (anonymous: boolean) => (found[Number(anonymous)] ??= check(document, anonymous));
    const read = { document, errors };
    known.set(document, read);
    return read;
  }

  return {
    read(text) {
      if (isLonger(text, queryBytes)) return refused(tooLong(queryBytes));
      const present = texts.get(text);
      if (present) return present;
      const read = readNew(text);
      texts.set(text, read, text.length + (read.document?.tokenCount ?? 0) * bytesPerToken);
      return read;
    },
    check: (document, anonymous) => known.get(document)?.errors(anonymous) ?? check(document, anonymous),
  };
}

function refused(error: GraphQLError): KnownDocument {
  const errors = [documentError(error)];
  return { document: null, errors: () => errors };
}

/** A character has three bytes at most, so hardly any text has to be measured. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes);
}

function tooLong(bytes: number): GraphQLError {
  return new GraphQLError(`The document has more than ${bytes} bytes. Give values as variables.`, {
    extensions: { code: 'LIMIT_EXCEEDED', reason: 'QUERY', field: 'query' },
  });
}

/** Tokens are counted while parsing, so an endless document costs no more than the limit. */
function parseWithin(text: string): DocumentNode {
  try {
    return parse(text, { maxTokens: limits.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError) || !error.message.includes(`${limits.tokens} tokens`)) throw error;
    throw new GraphQLError(`The document has more than ${limits.tokens} tokens.`, {
      extensions: { code: 'LIMIT_EXCEEDED', reason: 'TOKENS' },
    });
  }
}

/** A document takes some 300 bytes for each of its tokens. */
const bytesPerToken = 300;
const mostBytes = 8_388_608;

/** What was asked for lately: two generations, each within bounds, so what is in use stays. */
function createRecent<T>() {
  let young = new Map<string, { value: T; bytes: number }>();
  let old = new Map<string, { value: T; bytes: number }>();
  let bytes = 0;
  const keep = (key: string, entry: { value: T; bytes: number }): void => {
    if (bytes + entry.bytes > mostBytes) {
      old = young;
      young = new Map();
      bytes = 0;
    }
    young.set(key, entry);
    bytes += entry.bytes;
  };
  return {
    get(key: string): T | undefined {
      const present = young.get(key);
      if (present) return present.value;
      const older = old.get(key);
      if (older) keep(key, older);
      return older?.value;
    },
    set: (key: string, value: T, size: number): void => keep(key, { value, bytes: size }),
  };
}

/** The same documents for yoga, and the rules that plug-ins add. */
export function useDocuments(documents: Documents): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn((text: string) => {
        const known = documents.read(text);
        if (!known.document) throw known.errors(false)[0] ?? new Error('A document can not be read.');
        return known.document;
      });
    },
    onValidate({ context, setValidationFn }) {
      const anonymous = (context as unknown as Partial<Context>).caller?.anonymous ?? true;
      setValidationFn((schema: GraphQLSchema, document: DocumentNode, rules: typeof ourRules = []) => {
        const added = rules.filter((rule) => !specifiedRules.includes(rule));
        const errors = documents.check(document, anonymous);
        return added.length === 0 ? errors : [...errors, ...validate(schema, document, added).map(documentError)];
      });
    },
  };
}
