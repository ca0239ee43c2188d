package dev.kindling.comm.ring;

import dev.kindling.kernels.backend.CollectiveException;
import java.io.IOException;
import java.net.BindException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.nio.channels.ServerSocketChannel;
import java.util.Collections;

/** Where a rank listens: one named interface or address, never all of them. */
final class Binding {
  private static final int BACKLOG = 128;

  private Binding() {}

  /** The address of an interface (IPv4 if it has one), or of a host name. */
  static InetAddress address(String bind) {
    try {
      NetworkInterface card = NetworkInterface.getByName(bind);
      if (card == null) {
        return specific(InetAddress.getByName(bind));
      }
      InetAddress found = null;
      for (InetAddress address : Collections.list(card.getInetAddresses())) {
        if (found == null || address instanceof Inet4Address) {
          found = address;
        }
      }
      if (found == null) {
        throw new CollectiveException("interface " + bind + " has no address");
      }
      return specific(found);
    } catch (IOException e) {
      throw new CollectiveException("no interface or address is named " + bind, e);
    }
  }

  private static InetAddress specific(InetAddress address) {
    if (address.isAnyLocalAddress()) {
      throw new CollectiveException(
          "refused to listen on " + address.getHostAddress() + ": name one interface or address");
    }
    return address;
  }

  static ServerSocketChannel listen(InetAddress address, int port) {
    ServerSocketChannel listener = null;
    try {
      listener = ServerSocketChannel.open();
      listener.configureBlocking(false);
      listener.bind(new InetSocketAddress(address, port), BACKLOG);
      return listener;
    } catch (IOException e) {
      closeQuietly(listener);
      String why = e instanceof BindException ? "port in use or address not local" : e.toString();
      throw new CollectiveException(
          "cannot listen on " + address.getHostAddress() + " port " + port + ": " + why, e);
    }
  }

  static void closeQuietly(java.nio.channels.@org.jspecify.annotations.Nullable Channel channel) {
    if (channel == null) {
      return;
    }
    try {
      channel.close();
    } catch (IOException e) {
      throw new IllegalStateException("cannot close " + channel, e);
    }
  }
}
