package dev.kindling.worker.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.loop.WorkerResult;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InvalidClassException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.management.BadAttributeValueExpException;
import org.junit.jupiter.api.Test;

class SerialFilterTest {
  private static Object copy(Object value) throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(value);
    }
    ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()));
    in.setObjectInputFilter(SerialFilter.spark());
    return in.readObject();
  }

  @Test
  void valuesAndOurMessagesPass() throws Exception {
    for (Object value :
        List.of(
            new ArrayList<>(List.of("a", BigInteger.TEN)),
            Map.of(1, new int[] {1, 2}),
            new WorkerResult(0, 3, false, "commit"),
            new IllegalStateException("why", new IOException("cause")).toString())) {
      assertThat(copy(value)).usingRecursiveComparison().isEqualTo(value);
    }
  }

  @Test
  void whatIsNotNamedIsRefusedEvenInsideAList() {
    for (Object value :
        List.of(
            new BadAttributeValueExpException("gadget"),
            new ArrayList<>(List.of(new BadAttributeValueExpException("gadget"))),
            new BadAttributeValueExpException[0],
            new org.opentest4j.AssertionFailedError("a library's"))) {
      assertThatThrownBy(() -> copy(value))
          .as(value.getClass().getName())
          .isInstanceOf(InvalidClassException.class)
          .hasMessageContaining("REJECTED");
    }
  }
}
