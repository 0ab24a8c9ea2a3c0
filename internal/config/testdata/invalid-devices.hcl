manager "noc" {
  password_hash = env("HASH")
  devices       = ["Edge-*", "edge-[12]", ""]
}

gateway {
  port = 830
}
