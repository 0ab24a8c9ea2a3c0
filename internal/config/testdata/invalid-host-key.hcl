gateway {
  port      = 830
  host_keys = ["keys/missing", "keys/encrypted", "keys/broken", "keys", "keys/plain", "keys/other"]
}
