manager "noc" {
  password_hash = "$2a$04$PmyXDyl25y1ZYo5dncwH..re/SUJntpQz4KRaluTchKd5K0hxY4bW"
  devices       = ["*"]
}

gateway {
  port = 830
}
