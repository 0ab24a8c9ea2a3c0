package config

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

// Lists are revocation lists in files, and the CAs that they belong to.
type Lists struct {
	// Of says whose they are, for a person.
	Of      string
	Anchors *auth.Anchors
	Files   []string
	// Issuers are the names of the CAs whose lists were in the files.
	Issuers []string
}

// IssuersOf returns the names of the CAs whose lists these are.
func IssuersOf(lists []*x509.RevocationList) []string {
	var names []string
	for _, list := range lists {
		if name := list.Issuer.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// anchors reads a file of CA certificates and the revocation lists that go with
// them. The lists are among d.lists then; of says whose they are.
func (d *decoder) anchors(of string, ca, crl *hcl.Attribute) *auth.Anchors {
	if ca == nil {
		if crl != nil {
			d.problems.fail(crl.Range, "name the file of the CA certificates that sign them", "crl without a CA: nothing says whose revocation lists these are")
		}
		return nil
	}
	cas := d.certificates(ca)
	lists, files, ok := d.revocationLists(crl, cas)
	if cas == nil || !ok {
		return nil
	}
	anchors, err := auth.NewAnchors(cas, nil)
	if err != nil {
		d.problems.fail(ca.Expr.Range(), "the file holds the certificates of CAs, and nothing else", "%s", err)
		return nil
	}
	if err := anchors.SetLists(lists); err != nil {
		d.problems.fail(crl.Expr.Range(), "fetch the list from the CA again, or take it out", "%s", err)
		return nil
	}
	if len(files) > 0 {
		d.lists = append(d.lists, Lists{Of: of, Anchors: anchors, Files: files, Issuers: IssuersOf(lists)})
	}
	return anchors
}

// revocationLists reads the files; ok says that all of them could be.
func (d *decoder) revocationLists(a *hcl.Attribute, cas []*x509.Certificate) (lists []*x509.RevocationList, files []string, ok bool) {
	ok = true
	for _, s := range d.list(a) {
		of := d.listFile(a, s)
		ok = ok && of != nil
		for _, list := range of {
			d.checkList(s, list, cas)
		}
		lists, files = append(lists, of...), append(files, d.path(s.text))
	}
	return lists, files, ok
}

func (d *decoder) listFile(a *hcl.Attribute, s item) []*x509.RevocationList {
	f, ok := d.named(a, s, maxListFile)
	if !ok {
		return nil
	}
	lists, bad := parseLists(f.content)
	if bad != nil {
		d.problems.fail(s.at, bad.hint, "%s: %s", f.path, bad.what)
		return nil
	}
	return lists
}

func (d *decoder) checkList(s item, list *x509.RevocationList, cas []*x509.Certificate) {
	if !list.NextUpdate.IsZero() && time.Now().After(list.NextUpdate) {
		d.problems.warn(s.at, "fetch it from the CA: what was revoked since is not in this one", "a newer revocation list was due on %s", list.NextUpdate.Format(time.DateOnly))
	}
	if cas != nil && !slices.ContainsFunc(cas, func(ca *x509.Certificate) bool { return bytes.Equal(ca.RawSubject, list.RawIssuer) }) {
		d.problems.warn(s.at, "it may be the wrong file; it counts only for those who send the certificate of that CA", "the revocation list is that of %q, which is not among the CA certificates", list.Issuer.String())
	}
}
