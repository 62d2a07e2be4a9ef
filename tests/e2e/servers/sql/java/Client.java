// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

import java.sql.DriverManager;
import java.sql.SQLException;

/** The client of tests/e2e/servers/sql/README.md. */
public class Client {
  static String url(String driver, String host, String port) {
    String more =
        switch (driver) {
          case "mysql" -> "?useSSL=false&allowPublicKeyRetrieval=true&useServerPrepStmts=true";
          case "mariadb" -> "?sslMode=disable&useServerPrepStmts=true";
          default -> "";
        };
    return "jdbc:" + driver + "://" + host + ":" + port + "/shop" + more;
  }

  public static void main(String[] arguments) throws Exception {
    String driver = arguments[0];
    try (var connection = DriverManager.getConnection(url(driver, arguments[1], arguments[2]), "tester", "secret")) {
      try (var statement = connection.prepareStatement("select title from song where id = ?")) {
        for (int i = 0; i < Integer.parseInt(arguments[3]); i++) {
          statement.setInt(1, i % 1000 + 1);
          try (var rows = statement.executeQuery()) {
            rows.next();
          }
        }
      }
      try (var statement = connection.createStatement()) {
        statement.execute("insert into song values (1, 'twice')");
      } catch (SQLException error) {
        System.out.println(driver.equals("postgresql") ? error.getSQLState() : "" + error.getErrorCode());
      }
    }
  }
}
