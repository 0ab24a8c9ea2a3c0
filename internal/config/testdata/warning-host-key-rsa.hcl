gateway {
  port      = 830
  host_keys = ["keys/rsa"]
}
