// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// The client of tests/e2e/servers/sql/README.md.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func open(driver, host, port string, encrypted bool) (*sql.DB, string) {
	mode := map[string]map[bool]string{"mysql": {false: "false", true: "skip-verify"},
		"pgx": {false: "disable", true: "require"}}[driver][encrypted]
	if driver == "mysql" {
		db, err := sql.Open("mysql", fmt.Sprintf("tester:secret@tcp(%s:%s)/shop?tls=%s", host, port, mode))
		check(err)
		return db, "?"
	}
	db, err := sql.Open("pgx", fmt.Sprintf("postgres://tester:secret@%s:%s/shop?sslmode=%s", host, port, mode))
	check(err)
	return db, "$1"
}

func codeOf(err error) string {
	var ours *mysql.MySQLError
	if errors.As(err, &ours) {
		return strconv.Itoa(int(ours.Number))
	}
	var theirs *pgconn.PgError
	if errors.As(err, &theirs) {
		return theirs.Code
	}
	return fmt.Sprint(err)
}

func has(option string) bool {
	return slices.Contains(os.Args[5:], option)
}

// oneConnection prepares once and executes often.
func oneConnection(db *sql.DB, query string, count int) {
	statement, err := db.Prepare(query)
	check(err)
	for i := 0; i < count; i++ {
		var title string
		check(statement.QueryRow(i%1000 + 1).Scan(&title))
	}
	check(statement.Close())
}

// aConnectionEach keeps none.
func aConnectionEach(db *sql.DB, query string, count int) {
	db.SetMaxIdleConns(-1)
	for i := 0; i < count; i++ {
		var title string
		check(db.QueryRow(query, i%1000+1).Scan(&title))
	}
}

func main() {
	if os.Args[1] == "wait" {
		time.Sleep(time.Hour)
	}
	db, placeholder := open(os.Args[1], os.Args[2], os.Args[3], has("tls"))
	db.SetMaxOpenConns(1)
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	ask := oneConnection
	if has("each") {
		ask = aConnectionEach
	}
	ask(db, "select title from song where id = "+placeholder, count)
	_, err = db.Exec("insert into song values (1, 'twice')")
	fmt.Println(codeOf(err))
	check(db.Close())
}
