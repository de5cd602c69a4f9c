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

{{/* Mistakes that would show only later, in the cluster. values.schema.json refuses wrong types and unknown names. */}}
{{- define "co.validate" -}}
{{- range list "labels" "durations" "replicas" "credentials" "rbac" "disruptions" "metrics" "audit" }}
{{- include (printf "co.validate.%s" .) $ }}
{{- end }}
{{- end }}

{{- define "co.validate.labels" -}}
{{- $places := dict
  "commonLabels" .Values.commonLabels
  "deploymentLabels" .Values.deploymentLabels
  "podLabels" .Values.podLabels
  "serviceAccount.labels" .Values.serviceAccount.labels
  "metrics.service.labels" .Values.metrics.service.labels
}}
{{- range $place, $labels := $places }}
{{- range $fixed := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/managed-by" }}
{{- if hasKey $labels $fixed }}
{{- fail (printf "%s: the chart itself sets %s, and selects by it: leave it out; nameOverride changes the name" $place $fixed) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.service.enabled (regexMatch "^[0-9]" (include "co.fullname" .)) }}
{{- fail (printf "fullnameOverride: the name %s begins with a digit, and that of a Service may not: give another" (include "co.fullname" .)) }}
{{- end }}
{{- end }}

{{- define "co.validate.durations" -}}
{{- $durations := list
  (dict "value" "confidence.interval" "is" .Values.confidence.interval "least" 1)
  (dict "value" "confidence.minInterval" "is" .Values.confidence.minInterval "least" 1)
  (dict "value" "confidence.lastSeenResolution" "is" .Values.confidence.lastSeenResolution "least" 1)
  (dict "value" "leaderElection.leaseDuration" "is" .Values.leaderElection.leaseDuration "least" 15)
}}
{{- range $durations }}
{{- if lt (include "co.seconds" .is | float64) (float64 .least) }}
{{- fail (printf "%s: %s is shorter than %ds, and the operator would not start" .value .is .least) }}
{{- end }}
{{- end }}
{{- with .Values.confidence }}
{{- if lt (include "co.seconds" .interval | float64) (include "co.seconds" .minInterval | float64) }}
{{- fail (printf "confidence.interval: %s is shorter than confidence.minInterval, which is %s" .interval .minInterval) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "co.validate.replicas" -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElection.enabled) }}
{{- fail "replicaCount: more than one replica needs leaderElection.enabled=true, or they would all write to Confidence" }}
{{- end }}
{{- end }}

{{- define "co.validate.credentials" -}}
{{- if gt (len (compact (list .Values.caBundle.configMapName .Values.caBundle.secretName .Values.caBundle.pem))) 1 }}
{{- fail "caBundle: give one of configMapName, secretName and pem" }}
{{- end }}
{{- if not (or .Values.accounts.default .Values.accounts.enabled) }}
{{- fail "accounts.default: without the operator's own account, accounts.enabled=true is needed" }}
{{- end }}
{{- with .Values.credentials }}
{{- if and .volume .directory }}
{{- fail "credentials: give volume or directory, not both: the chart mounts nothing into a directory that something else fills" }}
{{- end }}
{{- if and .create (or .volume .directory) }}
{{- fail "credentials.create: makes a Secret, which credentials.volume and credentials.directory take the place of" }}
{{- end }}
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
{{- if eq .keys.clientId .keys.clientSecret }}
{{- fail "credentials.keys: clientId and clientSecret need different keys" }}
{{- end }}
{{- end }}
{{- range list .Values.confidence.url .Values.confidence.tokenUrl }}
{{- if and (hasPrefix "http://" .) (not $.Values.confidence.allowInsecureUrl) }}
{{- fail (printf "confidence: %s would send the token in the clear: use https://, or allowInsecureUrl=true for a test" .) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "co.validate.rbac" -}}
{{- if and .Values.rbac.create (not .Values.rbac.clusterRoles) }}
{{- if not .Values.watchNamespaces }}
{{- fail "rbac.clusterRoles: watching all namespaces needs a ClusterRole: give watchNamespaces, or rbac.create=false and roles of your own" }}
{{- end }}
{{- if and .Values.create.enabled (not .Values.instanceId) }}
{{- fail "rbac.clusterRoles: without it the operator cannot read the uid of kube-system: give instanceId, or create.enabled=false" }}
{{- end }}
{{- end }}
{{- with .Values.rbac.secrets }}
{{- if and .named (ne .access "named") }}
{{- fail "rbac.secrets.named: is used with rbac.secrets.access=named only" }}
{{- end }}
{{- if and (eq .access "named") (not .named) }}
{{- fail "rbac.secrets.access: named needs the names in rbac.secrets.named; for no Secrets at all say none" }}
{{- end }}
{{- if and (eq .access "none") $.Values.create.enabled }}
{{- fail "rbac.secrets.access: none leaves no Secret to publish into: set create.enabled=false, or use all or named" }}
{{- end }}
{{- range $namespace, $_ := .named }}
{{- if and $.Values.watchNamespaces (not (has $namespace $.Values.watchNamespaces)) }}
{{- fail (printf "rbac.secrets.named: namespace %s is not in watchNamespaces" $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "co.validate.disruptions" -}}
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
{{- end }}

{{- define "co.validate.metrics" -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
{{- fail "metrics: enable serviceMonitor or podMonitor, not both: every sample would be counted twice" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor: needs metrics.service.enabled=true, or use metrics.podMonitor" }}
{{- end }}
{{- end }}

{{- define "co.validate.audit" -}}
{{- if .Values.audit.enabled }}
{{- if not .Values.accounts.default }}
{{- fail "audit.enabled: looks at the operator's own account, which accounts.default=false leaves out; run kubectl confidence audit --account for the others" }}
{{- end }}
{{- if and .Values.rbac.create (not .Values.rbac.clusterRoles) }}
{{- fail "audit.enabled: reads the resources of all namespaces, which needs rbac.clusterRoles=true, or rbac.create=false and roles of your own" }}
{{- end }}
{{- end }}
{{- end }}
