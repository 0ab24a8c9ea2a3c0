audit {
  file       = "missing/audit.log"
  bodies     = ["edit-config"]
  body_limit = "1GiB"
  redact     = ["a:psk", "{urn:example:one}psk", "<psk>", ""]
  on_failure = "halt"
}

gateway {
  port = 830
}
