gateway {
  port = 830
}

manager "noc" {
  password_hash = env("HASH")
  devices       = ["*"]
  access        = "read-only"
  operations    = ["get", "edit-config", "{urn:example:box}reset"]
}
