user "old" {
  username          = "netconf"
  password          = env("PASSWORD")
  legacy_algorithms = true
}

user "new" {
  username          = "netconf"
  password          = env("PASSWORD")
  legacy_algorithms = false
}

session "edge-1" {
  address           = "192.0.2.1"
  legacy_algorithms = true
}

gateway {
  port = 830
}
