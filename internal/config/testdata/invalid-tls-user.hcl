user "absent" {
  tls {
  }
}

user "missing" {
  tls {
    certificate = "pki/missing"
    key = "pki/missing"
  }
}

user "mismatch" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/other.key"
  }
}

user "encrypted" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/encrypted.key"
  }
}

user "old-style" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/old.key"
  }
}

user "openssh" {
  tls {
    certificate = "pki/gateway.pem"
    key = "keys/plain"
  }
}

user "broken" {
  tls {
    certificate = "pki/broken.pem"
    key = "pki/broken.key"
  }
}

user "text" {
  tls {
    certificate = "pki/text"
    key = "pki/text"
  }
}

user "der" {
  tls {
    certificate = "pki/gateway.der"
    key = "pki/gateway.key"
  }
}

user "reversed" {
  tls {
    certificate = "pki/reversed.pem"
    key = "pki/gateway.key"
  }
}

user "contents" {
  tls {
    certificate = file("pki/gateway.pem")
    key = file("pki/gateway.key")
  }
}

user "twice" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
  }

  tls {
  }
}

gateway {
  port = 830
}
