{{/* The pod of the operator. */}}

{{- define "co.podSpec" -}}
serviceAccountName: {{ include "co.serviceAccountName" . }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
      {{- include "co.env" . | nindent 6 }}
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
    {{- with .Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - name: credentials
        mountPath: /etc/confidence-operator/credentials
        readOnly: true
      {{- if include "co.caBundle" . }}
      - name: ca-bundle
        mountPath: /etc/confidence-operator/ca
        readOnly: true
      {{- end }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "co.volumes" . | nindent 2 }}
{{- include "co.scheduling" . }}
{{- end }}

{{- define "co.args" -}}
- run
- --confidence-url={{ include "co.confidenceUrl" . }}
{{- with .Values.confidence.tokenUrl }}
- --token-url={{ . }}
{{- end }}
{{- if .Values.confidence.allowInsecureUrl }}
- --allow-insecure-url
{{- end }}
{{- if eq .Values.credentials.type "token" }}
- --token-file=/etc/confidence-operator/credentials/token
{{- else }}
- --client-id-file=/etc/confidence-operator/credentials/client-id
- --client-secret-file=/etc/confidence-operator/credentials/client-secret
{{- end }}
{{- if include "co.caBundle" . }}
- --ca-file=/etc/confidence-operator/ca/ca.crt
{{- end }}
- --interval={{ .Values.confidence.interval }}
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
- --listen=0.0.0.0:{{ int .Values.metrics.port }}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
{{- if .Values.leaderElection.enabled }}
- --leader-elect
- --lease-duration={{ .Values.leaderElection.leaseDuration }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "co.env" -}}
# Where the Lease is, and who holds it.
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with .Values.proxy }}
{{- with .httpsProxy }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .httpProxy }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
{{- if or .httpsProxy .httpProxy }}
- name: NO_PROXY
  value: {{ compact (list .noProxy "localhost,127.0.0.1,.svc,kubernetes.default.svc,$(KUBERNETES_SERVICE_HOST)") | join "," | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "co.volumes" -}}
- name: credentials
  secret:
    secretName: {{ .Values.credentials.secretName }}
    defaultMode: 288 # 0440
    items:
      {{- with .Values.credentials }}
      {{- if eq .type "token" }}
      - key: {{ .keys.token }}
        path: token
      {{- else }}
      - key: {{ .keys.clientId }}
        path: client-id
      - key: {{ .keys.clientSecret }}
        path: client-secret
      {{- end }}
      {{- end }}
{{- with .Values.caBundle }}
{{- if .secretName }}
- name: ca-bundle
  secret:
    secretName: {{ .secretName }}
    defaultMode: 288 # 0440
    items:
      - key: {{ .key }}
        path: ca.crt
{{- else if or .configMapName .pem }}
- name: ca-bundle
  configMap:
    name: {{ .configMapName | default (include "co.suffixed" (list $ "ca")) }}
    defaultMode: 288 # 0440
    items:
      - key: {{ .key }}
        path: ca.crt
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
