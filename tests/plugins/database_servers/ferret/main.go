// A server that speaks MongoDB's protocol and keeps everything in PostgreSQL: ferret LISTEN POSTGRESQL_URL SOCKET.
//
// It serves until its input ends or SIGTERM comes. FerretDB itself listens on SOCKET; what stands
// before it lets one write through at a time.
package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen, url, socket := os.Args[1], os.Args[2], os.Args[3]
	_ = os.Remove(socket)
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:      ferretdb.ListenerConfig{Unix: socket},
		Handler:       "postgresql",
		PostgreSQLURL: url,
		Logger:        logger,
	})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	go serve(listener, socket)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
