{{- define "slipway.name" -}}
{{- default $.Chart.Name $.Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "slipway.fullname" -}}
{{- if $.Values.fullnameOverride }}
{{- $.Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "slipway.name" $) $.Release.Name }}
{{- $.Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" $.Release.Name (include "slipway.name" $) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "slipway.serviceAccountName" -}}
{{- if $.Values.serviceAccount.create }}
{{- default (include "slipway.fullname" $) $.Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is required when serviceAccount.create is false." $.Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "slipway.image" -}}
{{- if $.Values.image.digest }}
{{- printf "%s@%s" $.Values.image.repository $.Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $.Values.image.repository (default $.Chart.AppVersion $.Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* The names under which it is reached: its Service's, its route's, and those that were given. */}}
{{- define "slipway.allowedHosts" -}}
{{- $name := include "slipway.fullname" $ }}
{{- $namespaced := printf "%s.%s" $name $.Release.Namespace }}
{{- $own := list $name $namespaced (printf "%s.svc" $namespaced) (printf "%s.svc.cluster.local" $namespaced) }}
{{- $routed := ternary $.Values.httpRoute.hostnames (list) $.Values.httpRoute.enabled }}
{{- concat $own $routed $.Values.allowedHosts | join "," }}
{{- end }}
