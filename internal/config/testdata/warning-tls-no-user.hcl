callhome {
  enabled  = true
  tls_port = 4335
  users    = ["old"]
}

user "old" {
  username = "netconf"
  password = env("PASSWORD")
}

gateway {
  port = 830
}
