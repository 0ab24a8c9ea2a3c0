gateway {
  port = 830
}

manager "noc" {
  password_hash = env("HASH")
  devices       = ["*"]
  access        = "readonly"
}
