type Labels = Record<string, string>;

const application = 'digitalhub-core';

/** The labels that each release of the DigitalHub platform puts on Deployment, Pod template and Services of a run. */
export const generations: Readonly<Record<string, (run: string, runtime: string) => Labels>> = {
  '0.11 to 0.13': (run, runtime) => platformLabels(application, application, run, runtime),
  '0.14': (run, runtime) => platformLabels(application, `dhcore.${application}`, run, runtime),
  '0.15': (run, runtime) => ({
    ...platformLabels('dhcore', 'dhcore', run, runtime),
    'app.kubernetes.io/part-of': application,
    'app.kubernetes.io/component': `${application}-prices`,
    'dhcore/instance': application,
  }),
};

function platformLabels(managedBy: string, prefix: string, run: string, runtime: string): Labels {
  return {
    'app.kubernetes.io/managed-by': managedBy,
    'app.kubernetes.io/part-of': `${application}-prices`,
    'app.kubernetes.io/instance': `${application}-${run}`,
    'app.kubernetes.io/version': run,
    [`${prefix}/framework`]: 'k8sserve',
    [`${prefix}/project`]: 'prices',
    [`${prefix}/run`]: run,
    [`${prefix}/runtime`]: runtime,
    [`${prefix}/user`]: 'ada',
    [`${application}/function`]: 'forecast',
  };
}
