user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}

callhome {
  users = ["fleet"]

  listener "olts" {
    port = 4334
  }

  listener "routers" {
    address = "127.0.0.1"
    port    = 4434
  }

  listener "switches" {
    port = 4434
  }

  listener "elsewhere" {
    address = "127.0.0.1"
    port    = 20000
  }
}

gateway {
  address = "127.0.0.1"
  ports   = "20000-29999"
}
