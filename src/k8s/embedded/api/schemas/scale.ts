import { always, int32, required, string, struct } from '../schema.ts';
import { objectMeta } from './meta.ts';

export const scaleSpec = struct('autoscaling.v1.ScaleSpec', {
  replicas: int32,
});

export const scaleStatus = struct('autoscaling.v1.ScaleStatus', {
  replicas: required(int32),
  selector: string,
});

export const scale = struct('autoscaling.v1.Scale', {
  metadata: always(objectMeta),
  spec: always(scaleSpec),
  status: always(scaleStatus),
});
