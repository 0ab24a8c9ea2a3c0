audit {
  file   = "audit.log"
  bodies = ["edit_config", "*"]
}

gateway {
  port = 830
}

manager "noc" {
  password_hash = env("HASH")
  devices       = ["*"]
  operations    = ["get-confg", "reset", "{urn:example:box}", "{}reset", "*"]
}

manager "none" {
  password_hash = env("HASH")
  devices       = ["*"]
  operations    = []
}
