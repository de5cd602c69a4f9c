-- Tells the operator to go on.
obj.spec.suspend = nil
return obj
