user "fleet" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
    ca          = "pki/ca.pem"
  }
}

session "edge-1" {
  certificates      = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"]
  certificate_names = ["edge-1.example"]
}

session "edge-2" {
  user              = "fleet"
  certificate_names = ["*.example"]
}

manager "noc" {
  password_hash     = env("HASH")
  certificate_names = ["noc", "robot"]
  devices           = ["*"]
}

gateway {
  port = 830
}
