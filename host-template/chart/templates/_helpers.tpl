{{/* Names, and the settings that the host takes from its environment. */}}

{{- define "hub.name" -}}
{{- contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* What finds a release's pods; it can never change. */}}
{{- define "hub.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "hub.labels" -}}
{{ include "hub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{- end }}

{{- define "hub.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}{{ else if .Values.serviceAccount.create }}{{ include "hub.name" . }}{{ else }}default{{ end }}
{{- end }}

{{- define "hub.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default ($.Chart.AppVersion | replace "+" "_") }}{{ end }}
{{- end }}
{{- end }}

{{/* What no schema can say: values that do not go together. */}}
{{- define "hub.check" -}}
{{- if gt (int .Values.replicas) 1 }}
{{- if not .Values.database.url }}
{{- fail (printf "replicas is %d, but database.url is empty: SQLite serves one host; name a PostgreSQL database in database.url, or set replicas to 1" (int .Values.replicas)) }}
{{- end }}
{{- if .Values.persistence.enabled }}
{{- fail (printf "replicas is %d and persistence.enabled is true: hosts cannot share a data folder; with PostgreSQL leave persistence.enabled false, or set replicas to 1" (int .Values.replicas)) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The host's settings as JSON: `plain` and `secret` map a variable to its text, `refs` maps one to a key of a Secret that is
there already. files/settings.json says which variable a plugin's setting goes to.
*/}}
{{- define "hub.settings" -}}
{{- $out := dict "plain" dict "secret" dict "refs" dict }}
{{- $set := list
  (dict "what" "database.url" "env" "DATABASE_URL" "type" "password" "value" .Values.database.url)
  (dict "what" "admin.email" "env" "HUB_ADMIN_EMAIL" "type" "string" "value" .Values.admin.email)
  (dict "what" "admin.password" "env" "HUB_ADMIN_PASSWORD" "type" "password" "value" .Values.admin.password)
  (dict "what" "trustedProxies" "env" "HUB_TRUSTED_PROXIES" "type" "string" "value" (join "," .Values.trustedProxies))
  (dict "what" "logFormat" "env" "LOG_FORMAT" "type" "string" "value" .Values.logFormat) }}
{{- $known := .Files.Get "files/settings.json" | fromJson }}
{{- range $slug, $values := .Values.plugins }}
{{- range $key, $value := $values }}
{{- $setting := get (get $known $slug | default dict) $key | required (printf "plugins.%s.%s is no setting of this release" $slug $key) }}
{{- $set = append $set (dict "what" (printf "plugins.%s.%s" $slug $key) "env" $setting.env "type" $setting.type "value" $value) }}
{{- end }}
{{- end }}
{{- $seen := dict }}
{{- range $set }}
{{- if not (or (kindIs "invalid" .value) (and (kindIs "string" .value) (empty .value))) }}
{{- $text := "" }}
{{- $kind := "plain" }}
{{- if kindIs "map" .value }}
{{- $kind = "refs" }}
{{- $text = toJson .value }}
{{- else }}
{{- if eq .type "password" }}{{ $kind = "secret" }}{{ end }}
{{- /* Numbers of a file are floating-point ones here: a large whole number would be written with an exponent. */}}
{{- $text = eq .type "integer" | ternary (printf "%d" (int64 .value)) (toString .value) }}
{{- end }}
{{- $before := get $seen .env | default dict }}
{{- if and $before (ne $before.text $text) }}
{{- fail (printf "%s and %s both set the variable %s, to different values; give them one value" $before.what .what .env) }}
{{- end }}
{{- $_ := set $seen .env (dict "what" .what "text" $text) }}
{{- $_ := set (get $out $kind) .env (eq $kind "refs" | ternary .value $text) }}
{{- end }}
{{- end }}
{{- toJson $out }}
{{- end }}
