package auth

import (
	"crypto/tls"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestWhetherTwoUsersLogInAlike(t *testing.T) {
	key, otherKey := ed25519Signer(t), ed25519Signer(t)
	user := func() *User {
		return &User{
			Name: "fleet", Username: "netconf", Password: "x", Keys: []ssh.Signer{key},
			TLS: &UserTLS{Certificate: tls.Certificate{Certificate: [][]byte{{1}}}},
		}
	}
	for name, tt := range map[string]struct {
		change func(*User)
		same   bool
	}{
		"nothing":            {func(*User) {}, true},
		"name":               {func(u *User) { u.Name = "other" }, true},
		"legacy algorithms":  {func(u *User) { u.LegacyAlgorithms = true }, true},
		"username":           {func(u *User) { u.Username = "admin" }, false},
		"password":           {func(u *User) { u.Password = "y" }, false},
		"first_use_password": {func(u *User) { u.FirstUsePassword = true }, false},
		"another key":        {func(u *User) { u.Keys[0] = otherKey }, false},
		"one more key":       {func(u *User) { u.Keys = append(u.Keys, otherKey) }, false},
		"certificate":        {func(u *User) { u.TLS.Certificate.Certificate = [][]byte{{2}} }, false},
		"no certificate":     {func(u *User) { u.TLS = nil }, false},
	} {
		u := user()
		tt.change(u)
		if u.SameLogin(user()) != tt.same || user().SameLogin(u) != tt.same {
			t.Errorf("%s changed: alike is %v, want %v", name, !tt.same, tt.same)
		}
	}
}
