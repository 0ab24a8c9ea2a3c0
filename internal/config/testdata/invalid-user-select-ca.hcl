callhome {
  user_select {
    url = "https://inventory.example.net/select"
    ca  = "pki/text"
  }
}

gateway {
  port = 830
}
