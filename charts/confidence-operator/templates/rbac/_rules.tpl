{{/*
What the operator may do: each rule with its reason, all of them here. It never writes a spec, and never a CRD.

  co.rules.watched   in each watched namespace, or in all
  co.rules.cluster   on what has no namespace
  co.rules.secrets   on the Secrets of one namespace that are named in rbac.secrets.named
  co.rules.own       in the operator's own namespace
  co.rules.audit     of the audit, which is another ServiceAccount
*/}}

{{- define "co.rules.watched" -}}
# The resources: to do what they say{{ if .Values.create.enabled }}, and to record there what is being created (metadata only){{ end }}.
- apiGroups: [iam.confidence.dev]
  resources: [confidenceclientcredentials]
  verbs: [get, list, watch{{ if .Values.create.enabled }}, patch{{ end }}]
# Their status: to say how they stand.
- apiGroups: [iam.confidence.dev]
  resources: [confidenceclientcredentials/status]
  verbs: [update]
{{- if .Values.accounts.enabled }}
# The accounts of the namespaces, and their status.
- apiGroups: [iam.confidence.dev]
  resources: [confidenceaccounts]
  verbs: [get, list, watch]
- apiGroups: [iam.confidence.dev]
  resources: [confidenceaccounts/status]
  verbs: [update]
{{- end }}
# Events: to say what changed.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if eq .Values.rbac.secrets.access "all" }}
# Secrets: to read those that resources name, and to notice that they changed (watched by their metadata alone)
{{- if .Values.create.enabled }};
# to publish the secrets of created credentials, and to delete them with their resource{{ end }}.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch{{ if .Values.create.enabled }}, create, patch, delete{{ end }}]
{{- end }}
{{- end }}

{{- define "co.rules.cluster" -}}
{{- if .Values.create.enabled }}
# The CRD: while it is being deleted, no credential is deleted with it.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [confidenceclientcredentials.iam.confidence.dev]
  verbs: [get]
{{- if not (or .Values.instanceId .Values.accounts.enabled) }}
# The namespace kube-system: its uid tells this cluster from others.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end }}
{{- end }}
{{- if .Values.accounts.enabled }}
# The accounts of the cluster, and their status.
- apiGroups: [iam.confidence.dev]
  resources: [clusterconfidenceaccounts]
  verbs: [get, list, watch]
- apiGroups: [iam.confidence.dev]
  resources: [clusterconfidenceaccounts/status]
  verbs: [update]
# Namespaces: grants select them by their labels{{ if .Values.create.enabled }}, and the uid of kube-system tells this cluster from others{{ end }}.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
{{- end }}
{{- end }}

{{/* A named Secret can be neither listed nor watched: a name in a rule and a list exclude each other in RBAC. */}}
{{- define "co.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    {{- toYaml .names | nindent 4 }}
  verbs: [get{{ if .root.Values.create.enabled }}, create, patch, delete{{ end }}]
{{- end }}

{{- define "co.rules.own" -}}
{{- $watched := or (empty .Values.watchNamespaces) (has (include "co.namespace" .) .Values.watchNamespaces) }}
{{- if .Values.leaderElection.enabled }}
# The Lease. A name cannot bound a create: the object has none yet when that is decided.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "co.fullname" . }}]
  verbs: [get, update]
{{- end }}
{{- if not $watched }}
# Events: what concerns a whole account is told about the operator's pod.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
{{- if and (include "co.clusterAccounts" .) (not (and $watched (eq .Values.rbac.secrets.access "all"))) }}
# Secrets: to read the credentials of the accounts of the cluster, and to notice that they changed.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end }}
{{- end }}

{{- define "co.rules.audit" -}}
# The resources of all namespaces: any of them may manage a credential.
- apiGroups: [iam.confidence.dev]
  resources: [confidenceclientcredentials]
  verbs: [list]
{{- if not .Values.instanceId }}
# The namespace kube-system: its uid tells this cluster from others.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end }}
{{- end }}

{{/* Not empty where there can be accounts of the cluster. */}}
{{- define "co.clusterAccounts" -}}
{{- and .Values.accounts.enabled .Values.rbac.clusterRoles | ternary "true" "" }}
{{- end }}

{{/*
A role and its binding. Input: root; name; rules, as text; namespace, unless it is for the cluster; serviceAccount, unless it is
the operator's.
*/}}
{{- define "co.role" -}}
{{- $kind := empty .namespace | ternary "ClusterRole" "Role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "co.metadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- include "co.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .serviceAccount | default (include "co.serviceAccountName" .root) }}
    namespace: {{ include "co.namespace" .root }}
{{ end }}
