{{/* What the operator may do, each rule with its reason. It never writes a resource, a Secret or a CRD. */}}

{{- define "co.rules" -}}
# The resources: to do what they say.
- apiGroups: [iam.confidence.dev]
  resources: [confidenceclientcredentials]
  verbs: [get, list, watch]
# Their status: to say how they stand.
- apiGroups: [iam.confidence.dev]
  resources: [confidenceclientcredentials/status]
  verbs: [patch]
# Events: to say what changed.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if eq .Values.rbac.secrets.access "all" }}
# Secrets: to read those that spec.clientSecret names, and to notice that they changed (watched by their metadata alone).
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end }}
{{- end }}

{{- define "co.subject" -}}
- kind: ServiceAccount
  name: {{ include "co.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
