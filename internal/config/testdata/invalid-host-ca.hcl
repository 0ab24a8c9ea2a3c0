user "no-keys" {
  username = "netconf"
  password = env("PASSWORD")

  host_ca {
  }
}

user "bad-keys" {
  username = "netconf"
  password = env("PASSWORD")

  host_ca {
    keys        = ["@cert-authority *.example.net ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc", "cert-authority,principals=\"a\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc", file("keys/plain"), file("keys/certificate.pub"), ""]
    name_from   = "san-dns-name"
    name_domain = "-"
  }

  host_ca {
  }
}

user "empty" {
  username = "netconf"
  password = env("PASSWORD")

  host_ca {
    keys = []
  }
}

user "tls" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
  }

  host_ca {
    keys = [file("keys/plain.pub")]
  }
}

gateway {
  port    = 830
  user_ca = []
}
