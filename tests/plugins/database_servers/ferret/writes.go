package main

import (
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"sync"
)

// FerretDB 1 reads the documents of an update, changes them and writes them back, and takes nobody
// else's update between into account: of two that ask for a document at once, both get it.
var writing sync.Mutex

var writes = map[string]bool{
	"insert": true, "update": true, "delete": true, "findAndModify": true, "findandmodify": true,
	"create": true, "createIndexes": true, "drop": true, "dropDatabase": true, "dropIndexes": true,
}

const (
	headerBytes    = 16
	longestMessage = 64 << 20
	opMsg          = 2013
	moreToCome     = 2
)

func serve(listener net.Listener, socket string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go pass(client, socket)
	}
}

// pass hands requests on, and answers back, until either side is gone.
func pass(client net.Conn, socket string) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		request, err := message(client)
		if err != nil {
			return
		}
		if answers, err := ask(server, request); err != nil || send(client, answers) != nil {
			return
		}
	}
}

// ask returns the answer to a request; a write has the server to itself meanwhile.
func ask(server net.Conn, request []byte) ([]byte, error) {
	if writes[command(request)] {
		writing.Lock()
		defer writing.Unlock()
	}
	if err := send(server, request); err != nil {
		return nil, err
	}
	if flags(request)&moreToCome != 0 { // the client wants no answer
		return nil, nil
	}
	return message(server)
}

func send(to net.Conn, message []byte) error {
	_, err := to.Write(message)
	return err
}

func message(from net.Conn) ([]byte, error) {
	header := make([]byte, headerBytes)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(header)
	if size < headerBytes || size > longestMessage {
		return nil, errors.New("not a message")
	}
	whole := append(header, make([]byte, size-headerBytes)...)
	_, err := io.ReadFull(from, whole[headerBytes:])
	return whole, err
}

func flags(message []byte) uint32 {
	if binary.LittleEndian.Uint32(message[12:]) != opMsg {
		return 0
	}
	return binary.LittleEndian.Uint32(message[headerBytes:])
}

// command returns the name of a request's command: the first key of its document.
func command(request []byte) string {
	if binary.LittleEndian.Uint32(request[12:]) != opMsg {
		return ""
	}
	sections := request[headerBytes+4:]
	for len(sections) > 5 && sections[0] == 1 { // documents that stand before it
		sections = sections[1+binary.LittleEndian.Uint32(sections[1:]):]
	}
	if len(sections) < 7 {
		return ""
	}
	key := sections[6:]
	for end, char := range key {
		if char == 0 {
			return string(key[:end])
		}
	}
	return ""
}
