// The alerts and the dashboard of confidence-operator as a monitoring mixin. Their one source is the chart's files: this only
// brings them into the form of mixins.
local alerts = std.parseYaml(importstr '../../charts/confidence-operator/files/monitoring/alerts.yaml');

{
  _config+:: {
    // The page with the runbooks; each alert has its anchor there. Empty: no link.
    runbookUrl: 'https://github.com/confidence-operator/confidence-operator/blob/main/docs/operations.md',
    // Labels of each alert, such as { team: 'platform' }.
    alertLabels: {},
  },

  local config = $._config,
  local complete(rule) = rule {
    labels+: config.alertLabels,
    annotations+: if config.runbookUrl == '' then {} else {
      runbook_url: '%s#%s' % [config.runbookUrl, std.asciiLower(rule.alert)],
    },
  },

  prometheusAlerts+:: {
    groups+: [group { rules: [complete(rule) for rule in group.rules] } for group in alerts.groups],
  },

  grafanaDashboards+:: {
    'confidence-operator.json': import '../../charts/confidence-operator/files/monitoring/dashboard.json',
  },
}
