gateway {
  port     = 830
  tls_port = 6513
  domain   = "gw.example.net"

  tls {
    cert_to_name {
      fingerprint = "SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
      map_type    = "specified"
      name        = "robot"
    }
  }
}

manager "noc" {
  certificate_names = ["robot"]
  devices           = ["*"]
}

manager "script" {
  certificate_names = ["robot", "noc", "", "a\nb", env("BINARY"),
    "example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.example.",
  ]
  devices           = ["*"]
}

manager "idle" {
  certificate_names = ["somebody"]
  devices           = ["*"]
}
