import {examplePod, type LintRule} from './rule.ts';

const fine = {text: examplePod(['hostUsers: false'])};

/** Rules about whether a file can be read, and what is written in it that no field is. */
export const fileRules = {
  'yaml-syntax': {
    title: 'a file that is neither YAML nor JSON',
    severity: 'error',
    about: 'files',
    versions: 'all',
    text: 'Nothing in the file was checked. The message names the first place that cannot be read; a key that stands twice in one mapping counts, as it does for `kubectl --validate=strict`.',
    bad: {text: 'apiVersion: v1\nkind: [Pod\n'},
    good: fine,
  },
  'template-text': {
    title: 'a template that has not been rendered',
    severity: 'error',
    about: 'files',
    versions: 'all',
    text: 'The file holds template expressions (`{{ … }}`) and is no YAML before they are filled in, so nothing in it was checked. Render it first: `helm template CHART | subroot lint -`, or `kustomize build FOLDER | subroot lint -`.',
    bad: {text: 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n'},
    good: fine,
  },
  'document-unread': {
    title: 'a document that was not looked into',
    severity: 'info',
    about: 'files',
    versions: 'all',
    text: 'The document is no Kubernetes object, or of a kind that is not known here. A pod template inside a custom resource is not seen. Looked into are Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, PodTemplate, and lists of them.',
    bad: {text: 'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n  name: web\n'},
    good: {text: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n'},
  },
  'field-type': {
    title: 'a value of the wrong type',
    severity: 'error',
    about: 'files',
    versions: 'all',
    text: 'The API server cannot read the object. `hostUsers: "false"` is a text and no boolean.',
    bad: {text: examplePod(['hostUsers: "false"'])},
    good: fine,
  },
  'field-unknown': {
    title: 'a field that the API does not have',
    severity: 'warning',
    about: 'files',
    versions: 'all',
    text: 'kubectl refuses it unless it is told otherwise; other clients and older API servers drop it in silence, and the pod is another than its writer thinks.',
    bad: {text: examplePod(['hostUsers: false', 'restartpolicy: Never'])},
    good: {text: examplePod(['hostUsers: false', 'restartPolicy: Never'])},
  },
  'api-invalid': {
    title: 'a value that the API server refuses',
    severity: 'error',
    about: 'files',
    versions: 'those given by --kubernetes',
    text: "Names, references to volumes, ranges of ids and the like, by the validation of that version and in the API server's own words. Not the whole of its validation: what touches user namespaces, names, and the values that subroot acts on.",
    bad: {text: examplePod(['hostUsers: false', 'restartPolicy: Sometimes'])},
    good: fine,
  },
  'lint-directive': {
    title: 'a comment for the linter that means nothing',
    severity: 'warning',
    about: 'files',
    versions: 'all',
    text: 'The comment names a rule that there is not, or is not of the form `# subroot-lint: disable=RULE,RULE` or `# subroot-lint: disable-file=RULE`. `all` stands for every rule but this one.',
    bad: {text: examplePod(['hostUsers: false # subroot-lint: disable=hostuser-unset'])},
    good: {text: examplePod(['hostUsers: true # subroot-lint: disable=hostusers-unset'])},
  },
} as const satisfies Record<string, LintRule>;
