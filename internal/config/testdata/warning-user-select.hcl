callhome {
  user_select {
    url           = "http://inventory.example.net/select"
    ca            = "pki/ca.pem"
    authorization = "Bearer hunter2"
  }
}

gateway {
  port = 830
}
