{{- define "hscjit-operator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hscjit-operator.selector" -}}
app.kubernetes.io/name: hscjit-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hscjit-operator.labels" -}}
{{ include "hscjit-operator.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: hscjit
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "hscjit-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "hscjit-operator.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "hscjit-operator.prometheus.fullname" -}}
{{- printf "%s-prometheus" (include "hscjit-operator.fullname" .) -}}
{{- end -}}

{{- define "hscjit-operator.prometheus.selector" -}}
app.kubernetes.io/name: hscjit-prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hscjit-operator.prometheus.labels" -}}
{{ include "hscjit-operator.prometheus.selector" . }}
app.kubernetes.io/component: prometheus
app.kubernetes.io/part-of: hscjit
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Who is bound to the role: called with the root. */}}
{{- define "hscjit-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "hscjit-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
