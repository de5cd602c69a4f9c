-- Health of iam.confidence.dev/ConfidenceClientCredential for Argo CD: the resource's conditions, as kstatus reads them.
-- Argo CD runs it as Lua 5.1 with nothing but the basic and the table library: no string functions.

local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status or {}
local generation = obj.metadata.generation

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  -- What was said of an older spec says nothing about this one.
  if condition.observedGeneration == nil or condition.observedGeneration == generation then
    conditions[condition.type] = condition
  end
end

local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

if status.observedGeneration ~= generation then
  return health("Progressing", "Waiting for confidence-operator to reconcile this version of the spec")
end
if obj.spec.suspend then
  return health("Suspended", "spec.suspend is true: the credential at Confidence is left alone")
end
if holds("Reconciling") then
  return health("Progressing", conditions.Reconciling.message)
end
if holds("Stalled") then
  return health("Degraded", conditions.Stalled.message)
end
if holds("Ready") then
  return health("Healthy", conditions.Ready.message)
end
if conditions.Ready ~= nil then
  return health("Progressing", conditions.Ready.message)
end
return health("Progressing", "Waiting for confidence-operator to report")
