// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
import java.net.InetAddress;

/** Look NAME: by the resolver of the Java library. */
final class Look {
  public static void main(String[] names) throws Exception {
    for (InetAddress address : InetAddress.getAllByName(names[0])) System.out.println(address.getHostAddress());
  }
}
