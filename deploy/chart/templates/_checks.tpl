{{- /* What would let somebody in, or give each caller another truth, is refused before anything is installed. */}}
{{- define "slipway.checks" -}}
{{- $config := $.Values.config }}
{{- if not (has "auth" $config.modules) }}
{{- fail "\n\nconfig.modules lacks \"auth\": on a cluster nobody is let in without signing in. Add it." }}
{{- end }}
{{- if not (dig "auth" "issuer" "" $config) }}
{{- fail "\n\nconfig.auth.issuer is required: set it to the issuer of your access tokens, exactly as in their `iss`." }}
{{- end }}
{{- if not (dig "auth" "audience" "" $config) }}
{{- fail "\n\nconfig.auth.audience is required: list the audiences, one of which must be in the `aud` of a token." }}
{{- end }}
{{- if and (eq (dig "auth" "authorizer" "kubernetes" $config) "roles") (not $.Values.namespaces) }}
{{- fail "\n\nnamespaces is required with config.auth.authorizer \"roles\", where Slipway acts with its own rights: list those it may act in." }}
{{- end }}
{{- $replicas := ternary $.Values.autoscaling.maxReplicas $.Values.replicas $.Values.autoscaling.enabled | int }}
{{- if and (gt $replicas 1) (not $.Values.historySecret.name) }}
{{- range $module := list "invoke" "health" }}
{{- if and (has $module $config.modules) (hasPrefix "sqlite:" (dig $module "historyUrl" "sqlite:" $config)) }}
{{- fail (printf "\n\nconfig.%s.historyUrl is a file, but %d replicas need one history: set it to \"off\", or name a Secret with a postgres:// URL in historySecret.name, or run one replica without autoscaling." $module $replicas) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
