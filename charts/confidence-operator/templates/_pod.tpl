{{/* The pod of the operator. */}}

{{- define "co.podSpec" -}}
serviceAccountName: {{ include "co.serviceAccountName" . }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- include "co.imagePullSecrets" . }}
{{- include "co.securityContext" (list . .Values.podSecurityContext) }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - {{ include "co.container" . | nindent 4 | trim }}
    args:
      {{- include "co.args" . | nindent 6 }}
    env:
      {{- include "co.env" . | trim | nindent 6 }}
    {{- with .Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - name: metrics
        containerPort: {{ .Values.metrics.port }}
        protocol: TCP
    livenessProbe:
      httpGet:
        path: /livez
        port: metrics
      {{- toYaml .Values.livenessProbe | nindent 6 }}
    readinessProbe:
      httpGet:
        path: /readyz
        port: metrics
      {{- toYaml .Values.readinessProbe | nindent 6 }}
    {{- range $key := list "lifecycle" "resources" }}
    {{- with get $.Values $key }}
    {{- dict $key . | toYaml | nindent 4 }}
    {{- end }}
    {{- end }}
    # `kubectl describe` then shows why the operator ended.
    terminationMessagePolicy: FallbackToLogsOnError
    {{- with include "co.volumeMounts" . | trim }}
    volumeMounts:
      {{- . | nindent 6 }}
    {{- end }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with include "co.volumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- include "co.scheduling" . }}
{{- end }}

{{/* Where the files with the account's credentials are. Their names are those of the keys. */}}
{{- define "co.credentialsDirectory" -}}
{{- .Values.credentials.directory | default "/etc/confidence-operator/credentials" | trimSuffix "/" }}
{{- end }}

{{- define "co.args" -}}
- run
{{- include "co.accountArgs" . }}
{{- if include "co.caBundle" . }}
- --ca-file=/etc/confidence-operator/ca/ca.crt
{{- end }}
- --interval={{ .Values.confidence.interval }}
- --min-interval={{ .Values.confidence.minInterval }}
- --requests-per-second={{ int .Values.confidence.requestsPerSecond }}
- --observe={{ .Values.confidence.observe }}
- --last-seen-resolution={{ .Values.confidence.lastSeenResolution }}
- --labels-encoding={{ .Values.confidence.labelsEncoding }}
{{- range .Values.watchNamespaces }}
- --watch-namespace={{ . }}
{{- end }}
{{- if ne .Values.rbac.secrets.access "all" }}
- --watch-secrets=false
{{- end }}
{{- if not .Values.accounts.enabled }}
- --watch-accounts=false
{{- end }}
{{- with .Values.instanceId }}
- --instance-id={{ . }}
{{- end }}
- --listen=[::]:{{ int .Values.metrics.port }}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
{{- if .Values.leaderElection.enabled }}
- --leader-elect
- --lease-name={{ include "co.fullname" . }}
- --lease-duration={{ .Values.leaderElection.leaseDuration }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "co.auditArgs" -}}
- audit
{{- include "co.accountArgs" . }}
{{- if include "co.caBundle" . }}
- --ca-file=/etc/confidence-operator/ca/ca.crt
{{- end }}
- --requests-per-second={{ int .Values.confidence.requestsPerSecond }}
{{- range .Values.audit.clients }}
- --client={{ . }}
{{- end }}
{{- with .Values.audit.failOn }}
- --fail-on={{ join "," . }}
{{- end }}
{{- with .Values.audit.pushgatewayUrl }}
- --pushgateway={{ . }}
{{- end }}
{{- with .Values.instanceId }}
- --instance-id={{ . }}
{{- end }}
{{- with .Values.audit.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The operator's own account, which it may go without. */}}
{{- define "co.accountArgs" -}}
{{- $directory := include "co.credentialsDirectory" . }}
{{- if not .Values.accounts.default }}
- --no-default-account
{{- else }}
- --confidence-url={{ include "co.confidenceUrl" . }}
{{- with .Values.confidence.tokenUrl }}
- --token-url={{ . }}
{{- end }}
{{- if eq .Values.credentials.type "token" }}
- --token-file={{ $directory }}/{{ .Values.credentials.keys.token }}
{{- else }}
- --client-id-file={{ $directory }}/{{ .Values.credentials.keys.clientId }}
- --client-secret-file={{ $directory }}/{{ .Values.credentials.keys.clientSecret }}
{{- end }}
{{- if and (include "co.mountsCredentials" .) (not .Values.credentials.volume) }}
- --credentials-secret={{ include "co.namespace" . }}/{{ .Values.credentials.secretName }}
{{- end }}
{{- end }}
{{- if .Values.confidence.allowInsecureUrl }}
- --allow-insecure-url
{{- end }}
{{- end }}

{{/* The user's variables take the place of those of the same name: a list may not have one name twice. */}}
{{- define "co.env" -}}
{{- $own := include "co.ownEnv" . | fromYamlArray }}
{{- $names := list }}
{{- range .Values.extraEnv }}
{{- $names = append $names .name }}
{{- end }}
{{- range $own }}
{{- if not (has .name $names) }}
{{ list . | toYaml }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Where the Lease is and who holds it, and the proxy. */}}
{{- define "co.ownEnv" -}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- with .Values.proxy }}
{{- with .httpsProxy }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .httpProxy }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if or .httpsProxy .httpProxy }}
- name: NO_PROXY
  value: {{ compact (list .noProxy "localhost,127.0.0.1,.svc,kubernetes.default.svc,$(KUBERNETES_SERVICE_HOST)") | join "," | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty where the chart itself mounts the account's credentials. */}}
{{- define "co.mountsCredentials" -}}
{{- and .Values.accounts.default (not .Values.credentials.directory) | ternary "true" "" }}
{{- end }}

{{- define "co.volumeMounts" -}}
{{- if include "co.mountsCredentials" . }}
- name: credentials
  mountPath: {{ include "co.credentialsDirectory" . }}
  readOnly: true
{{- end }}
{{- if include "co.caBundle" . }}
- name: ca-bundle
  mountPath: /etc/confidence-operator/ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "co.volumes" -}}
{{- if include "co.mountsCredentials" . }}
{{- with .Values.credentials }}
{{- if .volume }}
{{ list (merge (dict "name" "credentials") .volume) | toYaml }}
{{- else }}
- name: credentials
  secret:
    secretName: {{ .secretName }}
    defaultMode: 288 # 0440
    items:
      {{- range eq .type "token" | ternary (list .keys.token) (list .keys.clientId .keys.clientSecret) }}
      - {key: {{ . | quote }}, path: {{ . | quote }}}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.caBundle }}
{{- if .secretName }}
- name: ca-bundle
  secret:
    secretName: {{ .secretName }}
    defaultMode: 288 # 0440
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- else if or .configMapName .pem }}
- name: ca-bundle
  configMap:
    name: {{ .configMapName | default (include "co.suffixed" (list $ "ca")) }}
    defaultMode: 288 # 0440
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "co.scheduling" -}}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "co.selectorLabels" $ | fromYaml)) }}
  - {{ toYaml (merge (deepCopy .) $selector) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" "dnsConfig" "hostAliases" }}
{{- with get $.Values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end }}
