-- Which actions Argo CD offers on a ConfidenceClientCredential. A disabled one is shown and cannot be chosen.
local suspended = obj.spec.suspend == true

return {
  reconcile = { disabled = suspended },
  rotate = { disabled = suspended or obj.spec.client == nil },
  suspend = { disabled = suspended },
  resume = { disabled = not suspended },
}
