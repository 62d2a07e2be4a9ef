// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;

/** The client of tests/e2e/servers/sql/README.md. */
public class Client {
  static final List<LocalDateTime> MOMENTS =
      List.of(
          LocalDateTime.of(2024, 2, 29, 13, 4, 5, 60_000),
          LocalDateTime.of(2024, 2, 29, 13, 4, 5),
          LocalDateTime.of(2001, 1, 1, 0, 0),
          LocalDateTime.of(1999, 12, 31, 23, 59, 59, 999_999_000));

  static String url(String driver, String host, String port) {
    String more =
        switch (driver) {
          case "mysql" -> "?useSSL=false&allowPublicKeyRetrieval=true&useServerPrepStmts=true";
          case "mariadb" -> "?sslMode=disable&useServerPrepStmts=true&useBulkStmts=true";
          default -> "";
        };
    return "jdbc:" + driver + "://" + host + ":" + port + "/shop" + more;
  }

  static void lookUp(Connection connection, int count) throws SQLException {
    try (var statement = connection.prepareStatement("select title from song where id = ?")) {
      for (int i = 0; i < count; i++) {
        statement.setInt(1, i % 1000 + 1);
        try (var rows = statement.executeQuery()) {
          rows.next();
        }
      }
    }
  }

  static void moments(Connection connection, String driver) throws SQLException {
    try (var statement = connection.prepareStatement("insert into moment values (?, ?, ?, ?)")) {
      for (LocalDateTime at : MOMENTS) {
        statement.setObject(1, at.toLocalDate());
        statement.setObject(2, at);
        statement.setTimestamp(3, Timestamp.valueOf(at));
        Duration ago = Duration.ofDays(5).plusNanos(at.toLocalTime().toNanoOfDay()); // it spoils negative ones
        statement.setObject(4, driver.equals("mariadb") ? ago : at.toLocalTime());
        statement.execute();
      }
    }
  }

  /** Batches of 1, 2, 4, ... up to `count` sets of values; every third text is NULL. */
  static void batches(Connection connection, int count) throws SQLException {
    try (var statement = connection.prepareStatement("insert into note values (?, ?)")) {
      for (int size = 1; size <= count; size *= 2) {
        for (int i = 0; i < size; i++) {
          statement.setInt(1, i);
          statement.setString(2, i % 3 == 0 ? null : "note " + i);
          statement.addBatch();
        }
        statement.executeBatch();
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    String driver = arguments[0];
    int count = Integer.parseInt(arguments[3]);
    try (var connection = DriverManager.getConnection(url(driver, arguments[1], arguments[2]), "tester", "secret")) {
      switch (arguments.length > 4 ? arguments[4] : "") {
        case "moments" -> moments(connection, driver);
        case "batches" -> batches(connection, count);
        default -> lookUp(connection, count);
      }
      try (var statement = connection.createStatement()) {
        statement.execute("insert into song values (1, 'twice')");
      } catch (SQLException error) {
        System.out.println(driver.equals("postgresql") ? error.getSQLState() : "" + error.getErrorCode());
      }
    }
  }
}
