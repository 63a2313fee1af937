package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// relayed starts a relay to an address and returns the address that it listens on.
func relayed(t *testing.T, to string) string {
	t.Helper()
	listener, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go accept(listener, to)
	return listener.Addr().String()
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn)
}

// serve answers each connection on a port of its own.
func serve(t *testing.T, answer func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn.(*net.TCPConn))
		}
	}()
	return listener.Addr().String()
}

func TestEveryByteArrivesAfterOneSideHasFinished(t *testing.T) {
	// The server answers only once the client has said all: both halves must close on their own.
	address := relayed(t, serve(t, func(conn *net.TCPConn) {
		said, _ := io.ReadAll(conn)
		conn.Write(said)
		conn.Close()
	}))
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	client := dial(t, address)
	client.Write(sent)
	client.CloseWrite()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back (%v)", len(got), len(sent), err)
	}
}

func TestADeadServerIsAResetAndNotAnEmptyAnswer(t *testing.T) {
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	closed.Close()
	conn, err := net.Dial("tcp", relayed(t, closed.Addr().String()))
	if err == nil { // else the reset came before the connection was told of
		defer conn.Close()
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %v, want a reset", err)
	}
}

func TestAServerThatBreaksOffIsAResetToo(t *testing.T) {
	address := relayed(t, serve(t, func(conn *net.TCPConn) {
		conn.Write([]byte("half an ans"))
		time.Sleep(50 * time.Millisecond)
		conn.SetLinger(0)
		conn.Close()
	}))
	got, err := io.ReadAll(dial(t, address))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %q and %v, want a reset", got, err)
	}
}

func TestASocketThatListensAlreadyIsTakenOver(t *testing.T) {
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := outside.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, _ := syscall.Dup(int(file.Fd()))
	inherited, err := listen("fd:" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	if inherited.Addr().String() != outside.Addr().String() {
		t.Fatalf("listens on %s, want %s", inherited.Addr(), outside.Addr())
	}
	if _, err := listen("fd:x"); err == nil {
		t.Fatal("fd:x was taken for a socket")
	}
}
