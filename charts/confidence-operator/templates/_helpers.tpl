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

{{/* For what has no namespace: with the release's namespace where that is not in the name anyway. */}}
{{- define "co.clusterName" -}}
{{- $name := include "co.fullname" . }}
{{- if eq $name .Release.Namespace }}
{{- $name }}
{{- else }}
{{- printf "%s-%s" .Release.Namespace $name }}
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
{{- with .Values.commonLabels }}
{{ toYaml . }}
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
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
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

{{- define "co.aggregateRoles" -}}
{{- if kindIs "bool" .Values.rbac.aggregateRoles }}
{{- ternary "true" "" .Values.rbac.aggregateRoles }}
{{- else }}
{{- ternary "true" "" (empty .Values.watchNamespaces) }}
{{- end }}
{{- end }}

{{/* A container that the restricted Pod Security Standard accepts, as far as the image, for the operator and its test. */}}
{{- define "co.container" -}}
name: confidence-operator
image: {{ include "co.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The seconds of a duration such as 1h30m. */}}
{{- define "co.seconds" -}}
{{- $units := dict "ns" 0.000000001 "us" 0.000001 "µs" 0.000001 "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 }}
{{- $seconds := 0.0 }}
{{- range regexFindAll "[0-9.]+[a-zµ]+" . -1 }}
{{- $unit := regexFind "[a-zµ]+$" . }}
{{- $seconds = addf $seconds (mulf (trimSuffix $unit . | float64) (get $units $unit)) }}
{{- end }}
{{- $seconds }}
{{- end }}

{{/* What goes wrong in a cluster only later, said now. Types and typos are values.schema.json's. */}}
{{- define "co.validate" -}}
{{- $durations := list
  (dict "value" "confidence.interval" "is" .Values.confidence.interval "least" 1)
  (dict "value" "confidence.lastSeenResolution" "is" .Values.confidence.lastSeenResolution "least" 1)
  (dict "value" "leaderElection.leaseDuration" "is" .Values.leaderElection.leaseDuration "least" 15)
}}
{{- range $durations }}
{{- if lt (include "co.seconds" .is | float64) (float64 .least) }}
{{- fail (printf "%s: %s is shorter than %ds, and the operator would not start" .value .is .least) }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.service.enabled (regexMatch "^[0-9]" (include "co.fullname" .)) }}
{{- fail (printf "fullnameOverride: the name %s begins with a digit, and that of a Service may not: give another" (include "co.fullname" .)) }}
{{- end }}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElection.enabled) }}
{{- fail "replicaCount: more than one replica needs leaderElection.enabled=true, or they would all write to Confidence" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
{{- fail "metrics: enable serviceMonitor or podMonitor, not both: every sample would be counted twice" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor: needs metrics.service.enabled=true, or use metrics.podMonitor" }}
{{- end }}
{{- if gt (len (compact (list .Values.caBundle.configMapName .Values.caBundle.secretName .Values.caBundle.pem))) 1 }}
{{- fail "caBundle: give one of configMapName, secretName and pem" }}
{{- end }}
{{- with .Values.credentials }}
{{- if .create }}
{{- if and (eq .type "token") (not .token) }}
{{- fail "credentials.create: type token needs credentials.token" }}
{{- end }}
{{- if and (eq .type "client") (not (and .clientId .clientSecret)) }}
{{- fail "credentials.create: type client needs credentials.clientId and credentials.clientSecret" }}
{{- end }}
{{- else if or .token .clientId .clientSecret }}
{{- fail "credentials: token, clientId and clientSecret are used with credentials.create=true only" }}
{{- end }}
{{- end }}
{{- range list .Values.confidence.url .Values.confidence.tokenUrl }}
{{- if and (hasPrefix "http://" .) (not $.Values.confidence.allowInsecureUrl) }}
{{- fail (printf "confidence: %s would send the token in the clear: use https://, or allowInsecureUrl=true for a test" .) }}
{{- end }}
{{- end }}
{{- with .Values.podDisruptionBudget }}
{{- if .enabled }}
{{- $minimum := kindIs "invalid" .minAvailable | ternary "" (toString .minAvailable) }}
{{- $maximum := kindIs "invalid" .maxUnavailable | ternary "" (toString .maxUnavailable) }}
{{- if eq (empty $minimum) (empty $maximum) }}
{{- fail "podDisruptionBudget: give minAvailable or maxUnavailable; set the other to \"\"" }}
{{- end }}
{{- $replicas := int $.Values.replicaCount }}
{{- if $minimum }}
{{- $stay := int $minimum }}
{{- if hasSuffix "%" $minimum }}
{{- /* As the API server counts it: rounded up. */}}
{{- $stay = div (add (mul (trimSuffix "%" $minimum | int) $replicas) 99) 100 | int }}
{{- end }}
{{- if and (gt $replicas 0) (ge $stay $replicas) }}
{{- fail (printf "podDisruptionBudget: minAvailable %s of %d replicas lets no pod go, and no node could be drained" $minimum $replicas) }}
{{- end }}
{{- else if and (gt $replicas 0) (eq (trimSuffix "%" $maximum | int) 0) }}
{{- fail (printf "podDisruptionBudget: maxUnavailable %s of %d replicas lets no pod go, and no node could be drained" $maximum $replicas) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.rbac.secrets }}
{{- if and .named (ne .access "named") }}
{{- fail "rbac.secrets.named: is used with rbac.secrets.access=named only" }}
{{- end }}
{{- if and (eq .access "named") (not .named) }}
{{- fail "rbac.secrets.access: named needs the names in rbac.secrets.named; for no Secrets at all say none" }}
{{- end }}
{{- range $namespace, $_ := .named }}
{{- if and $.Values.watchNamespaces (not (has $namespace $.Values.watchNamespaces)) }}
{{- fail (printf "rbac.secrets.named: namespace %s is not in watchNamespaces" $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
