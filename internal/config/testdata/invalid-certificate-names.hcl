user "fleet" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
  }
}

user "old" {
  username = "netconf"
  password = env("PASSWORD")
}

callhome {
  users = ["fleet", "old"]
}

session "edge-1" {
  certificate_names = ["edge-1.example"]
}

session "edge-2" {
  certificate_names = ["EDGE-1.example", ""]
  user              = "fleet"
}

session "edge-3" {
  certificate_names = []
}

gateway {
  port = 830
}
