package dev.kindling.comm.mesh;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Axis;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class MeshTest {
  private static final Mesh MESH =
      new Mesh(
          List.of(new Extent(Axis.DATA, 3), new Extent(Axis.SHARD, 1), new Extent(Axis.TENSOR, 4)));

  @Test
  void everyRankHasCoordinatesOfItsOwn() {
    assertThat(MESH.worldSize()).isEqualTo(12);
    for (int rank = 0; rank < 12; rank++) {
      assertThat(MESH.coordinate(rank, Axis.DATA)).isEqualTo(rank / 4);
      assertThat(MESH.coordinate(rank, Axis.TENSOR)).isEqualTo(rank % 4);
      assertThat(MESH.coordinate(rank, Axis.SHARD)).isZero();
      assertThat(MESH.coordinate(rank, Axis.PIPELINE)).isZero();
      assertThat(MESH.rank(List.of(rank / 4, 0, rank % 4))).isEqualTo(rank);
    }
    assertThat(MESH.degree(Axis.TENSOR)).isEqualTo(4);
    assertThat(MESH.degree(Axis.EXPERT)).isEqualTo(1);
  }

  @Test
  void groupsOfAnAxisPartitionTheRanks() {
    assertThat(MESH.group(5, Axis.TENSOR)).containsExactly(4, 5, 6, 7);
    assertThat(MESH.group(5, Axis.DATA)).containsExactly(1, 5, 9);
    for (Axis axis : Axis.values()) {
      var all = new ArrayList<Integer>();
      var groups = new TreeSet<String>();
      for (int rank = 0; rank < MESH.worldSize(); rank++) {
        List<Integer> group = MESH.group(rank, axis);
        assertThat(group).contains(rank).hasSize(MESH.degree(axis)).isSorted();
        if (groups.add(group.toString())) {
          all.addAll(group);
        }
      }
      assertThat(all).hasSize(MESH.worldSize()).doesNotHaveDuplicates();
    }
  }

  @Test
  void dataParallelismIsOneAxis() {
    Mesh mesh = Mesh.data(5);
    assertThat(mesh.group(2, Axis.DATA)).containsExactly(0, 1, 2, 3, 4);
    assertThat(mesh.coordinate(3, Axis.DATA)).isEqualTo(3);
  }

  @Test
  void nonsenseIsRefusedByName() {
    assertThatThrownBy(() -> new Extent(Axis.DATA, 0)).hasMessageContaining("degree");
    var twice = List.of(new Extent(Axis.DATA, 2), new Extent(Axis.DATA, 2));
    assertThatThrownBy(() -> new Mesh(twice)).hasMessageContaining("DATA is listed twice");
    var huge = List.of(new Extent(Axis.DATA, 1 << 20), new Extent(Axis.TENSOR, 1 << 20));
    assertThatThrownBy(() -> new Mesh(huge)).hasMessageContaining("2^31");
    assertThatThrownBy(() -> MESH.coordinate(12, Axis.DATA)).hasMessageContaining("0..11");
    assertThatThrownBy(() -> MESH.group(-1, Axis.DATA)).hasMessageContaining("rank: -1");
    assertThatThrownBy(() -> MESH.rank(List.of(0, 0))).hasMessageContaining("expected 3");
    assertThatThrownBy(() -> MESH.rank(List.of(3, 0, 0))).hasMessageContaining("outside");
  }
}
