manager "noc" {
  password_hash = env("HASH")
}

gateway {
  port = 830
}
