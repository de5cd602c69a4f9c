{{/* Names, labels and the parts that several templates share. */}}

{{- define "co.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "co.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "co.name" . }}
{{- /* A release may have dots in its name, and a Service may not. */}}
{{- $release := .Release.Name | replace "." "-" }}
{{- if contains $name $release }}
{{- $release | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" $release $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The full name with a suffix that survives the cut to 63 characters. Input: (list $ "suffix"). */}}
{{- define "co.suffixed" -}}
{{- $suffix := index . 1 }}
{{- printf "%s-%s" (include "co.fullname" (index . 0) | trunc (int (sub 62 (len $suffix))) | trimSuffix "-") $suffix }}
{{- end }}

{{- define "co.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{/* For what has no namespace: with the release's namespace where that is not in the name anyway. */}}
{{- define "co.clusterName" -}}
{{- $name := include "co.fullname" . }}
{{- if eq $name (include "co.namespace" .) }}
{{- $name }}
{{- else }}
{{- printf "%s-%s" (include "co.namespace" .) $name }}
{{- end }}
{{- end }}

{{- define "co.selectorLabels" -}}
app.kubernetes.io/name: {{ include "co.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "co.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "co.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: confidence-operator
{{- end }}

{{/* Several maps as one, in which no key is twice. Input: a list of maps; a later one wins. */}}
{{- define "co.merged" -}}
{{- $merged := dict }}
{{- range . }}
{{- range $key, $value := . }}
{{- $_ := set $merged $key $value }}
{{- end }}
{{- end }}
{{- toYaml $merged }}
{{- end }}

{{/* The labels of an object or of the pods. Input: root; labels, the user's for this object; fixed, what a selector asks for. */}}
{{- define "co.allLabels" -}}
{{- $selector := include "co.selectorLabels" .root | fromYaml }}
{{- include "co.merged" (list (include "co.labels" .root | fromYaml) .root.Values.commonLabels .labels $selector .fixed) }}
{{- end }}

{{/* The metadata of an object of the chart. Input: root; name; namespace, if it has one; labels, fixed and annotations. */}}
{{- define "co.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "co.allLabels" . | nindent 2 }}
{{- $annotations := include "co.merged" (list .root.Values.commonAnnotations .annotations) }}
{{- if ne $annotations "{}" }}
annotations:
  {{- $annotations | nindent 2 }}
{{- end }}
{{- end }}

{{- define "co.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "co.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "co.image" -}}
{{- with .Values.image -}}
{{- with $.Values.global.imageRegistry | default .registry }}{{ . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Those of the umbrella chart, which may be given as bare names, and those of this one. */}}
{{- define "co.imagePullSecrets" -}}
{{- $secrets := list }}
{{- range concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets }}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) }}
{{- end }}
{{- with $secrets | uniq }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A security context without the ids, where OpenShift gives each namespace its own. Input: (list $ context). */}}
{{- define "co.securityContext" -}}
{{- $root := index . 0 }}
{{- $context := index . 1 }}
{{- $global := dig "compatibility" "openshift" "adaptSecurityContext" "" $root.Values.global }}
{{- $adapt := $global | default $root.Values.openshift.adaptSecurityContext }}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") ($root.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}
{{- end }}
{{- with $context }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The regional hosts are the vendor's. */}}
{{- define "co.confidenceUrl" -}}
{{- $hosts := dict "global" "iam.confidence.dev" "eu" "iam.eu.confidence.dev" "us" "iam.us.confidence.dev" }}
{{- .Values.confidence.url | default (printf "https://%s" (get $hosts .Values.confidence.region)) }}
{{- end }}

{{/* Not empty where further certificate authorities are given. */}}
{{- define "co.caBundle" -}}
{{- with .Values.caBundle }}{{ or .configMapName .secretName .pem }}{{ end }}
{{- end }}

{{/* A container that the restricted Pod Security Standard accepts, as far as the image, for the operator and its test. */}}
{{- define "co.container" -}}
name: confidence-operator
image: {{ include "co.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- include "co.securityContext" (list . .Values.securityContext) }}
{{- end }}
