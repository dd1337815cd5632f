import { type ManifestFormat, renderManifests } from '../../k8s/manifests.ts';
import { type HTTPRoute, httpRoutes, type KubeObject } from '../../k8s/resources.ts';
import { openSpec } from './closed.ts';
import { pendingAnnotation } from './names.ts';

/** Routes and policies as somebody would write them. By what a route is closed nobody is to know. */
export function manifestsOf(objects: readonly KubeObject[], format: ManifestFormat): string {
  return renderManifests(objects.map(wanted), format);
}

function wanted(object: KubeObject): KubeObject {
  const { [pendingAnnotation]: _, ...annotations } = object.metadata.annotations ?? {};
  const settled = { ...object, metadata: { ...object.metadata, annotations } };
  return object.kind === httpRoutes.kind ? Object.assign(settled, { spec: openSpec(object as HTTPRoute) }) : settled;
}
