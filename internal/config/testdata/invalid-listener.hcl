user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}

callhome {
  users = ["fleet"]

  listener "olts" {
  }

  listener "OLTs" {
    port = 4434
  }

  listener "-" {
    address = "olts.example.net"
    port    = 4435
    users   = ["flet", "fleet", "fleet"]
    trust   = "approved"
  }

  listener "zero" {
    port     = 0
    tls_port = 0
  }

  listener "secret" {
    port          = 4436
    device_secret = env("EMPTY")
  }
}

gateway {
  port = 830
}
