-- Tells the operator to leave the credential alone.
obj.spec.suspend = true
return obj
