package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// maxHookAnswer bounds what a hook may answer, in bytes.
const maxHookAnswer = 64 << 10

var errHookAnswerTooLong = fmt.Errorf("the answer is longer than %d KiB", maxHookAnswer>>10)

// userTable are the user entries by name.
type userTable map[string]*auth.User

// selection reads the answer of a hook. What cannot be meant is an error: the
// hook decides who is let in, so nothing in it is overlooked.
func (t userTable) selection(text []byte) (callhome.Selection, error) {
	var a struct {
		User   string `json:"user"`
		Reject bool   `json:"reject"`
		Reason string `json:"reason"`
		Name   string `json:"name"`
	}
	if err := decodeAnswer(text, &a); err != nil {
		return callhome.Selection{}, err
	}
	user, known := t[a.User]
	switch {
	case a.Reject && a.User != "":
		return callhome.Selection{}, errors.New("the answer has reject and user: it can only have one of them")
	case !a.Reject && a.Reason != "":
		return callhome.Selection{}, errors.New("the answer has a reason, and no reject")
	case a.User != "" && !known:
		return callhome.Selection{}, fmt.Errorf("the answer names the user entry %s, which the configuration does not have", callhome.Quote(a.User))
	case a.Name != "" && !auth.ValidName(strings.ToLower(a.Name)):
		return callhome.Selection{}, fmt.Errorf("the answer names the device %s: a name is 1 to 63 of a-z, 0-9 and -", callhome.Quote(a.Name))
	}
	return callhome.Selection{Reject: a.Reject, Reason: a.Reason, User: user, Name: a.Name}, nil
}

// decodeAnswer reads one JSON object and nothing else.
func decodeAnswer(text []byte, to any) error {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return errors.New("the answer is empty; one without an opinion is {}")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil && text[0] != '{' {
		err = errors.New("it is null")
	}
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows the object")
	}
	if err != nil {
		return fmt.Errorf("the answer is no JSON object as it should be (%.100s): %s", err, callhome.Quote(string(text)))
	}
	return nil
}
