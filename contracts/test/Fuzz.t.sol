// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VesHashes} from "../VesHashes.sol";
import {AnchorTest} from "./AnchorTest.sol";
import {Model} from "./Model.sol";

contract FuzzTest is AnchorTest {
    /// @dev Whatever is given after a first batch is anchored exactly when it is that batch's successor.
    function testFuzz_onlyTheSuccessor(Draft memory draft, uint32 firstCount, bool isRootRight, bool isStartRight)
        public
    {
        Draft memory one = follow(nothing(), firstCount % 1000 + 1, "one");
        send(FIRST, one);
        (draft.tenantId, draft.storeId) = (TENANT, STORE);
        if (isStartRight) {
            draft.start = one.end + 1;
            draft.end = draft.end % 2 == 0 ? draft.end : one.end + draft.count;
        }
        bool isRange = draft.end >= draft.start && uint256(draft.end) - draft.start + 1 == draft.count;
        if (isRootRight && isRange) draft.stateRoot = rootAfter(one.stateRoot, draft);
        bool isNext = isRange && isRootRight && draft.start == one.end + 1 && draft.batchId != one.batchId;
        (bool isDone,) = trySend(FIRST, draft);
        require(isDone == isNext, "anchored exactly when it is next");
        Draft memory last = isNext ? draft : one;
        eq(anchored.getLatestSequence(TENANT, STORE), last.end, "latest");
        eq(anchored.stateRootOf(TENANT, STORE), last.stateRoot, "state root");
    }

    function testFuzz_onlySequencers(address sender) public {
        Draft memory one = follow(nothing(), 3, "one");
        (bool isDone,) = trySend(sender, one);
        require(isDone == (sender == FIRST || sender == SECOND), "anchored by a sequencer");
    }

    function testFuzz_onlyUuids(bytes32 tenantId, bytes32 storeId, bool isCut) public {
        if (isCut) (tenantId, storeId) = (bytes16(tenantId), bytes16(storeId));
        Draft memory one = follow(nothing(), 3, "one");
        (one.tenantId, one.storeId) = (tenantId, storeId);
        one.stateRoot = rootAfter(0, one);
        (bool isDone, bytes memory because) = trySend(FIRST, one);
        bool isUuid = bytes16(tenantId) == tenantId && bytes16(storeId) == storeId;
        require(isDone == isUuid, "anchored exactly for two UUIDs");
        require(isDone || bytes4(because) == VesHashes.NotAUuid.selector, "reason");
    }

    /// @dev Every leaf of every tree is in it; no other leaf, index or path is.
    function testFuzz_inclusion(uint256 seed, uint8 size, uint8 place, uint256 otherIndex, bytes32 otherLeaf) public {
        bytes32[] memory leaves = new bytes32[](uint256(size) % 70 + 1);
        for (uint256 i = 0; i < leaves.length; i++) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        uint256 index = place % leaves.length;
        (bytes32 root, bytes32[] memory path) = Model.tree(leaves, index);
        Draft memory one = follow(nothing(), uint32(leaves.length), "one");
        one.eventsRoot = root;
        one.stateRoot = rootAfter(0, one);
        send(FIRST, one);
        require(anchored.verifyInclusion(one.batchId, leaves[index], index, path), "a leaf");
        require(otherIndex == index || !anchored.verifyInclusion(one.batchId, leaves[index], otherIndex, path), "index");
        require(!anchored.verifyInclusion(one.batchId, otherLeaf, index, path), "another leaf");
        if (path.length == 0) return;
        path[otherIndex % path.length] ^= bytes32(uint256(1));
        require(!anchored.verifyInclusion(one.batchId, leaves[index], index, path), "another path");
    }

    function trySend(address sender, Draft memory draft) private returns (bool, bytes memory) {
        bytes memory data = abi.encodeCall(
            anchored.anchor,
            (
                draft.batchId,
                draft.tenantId,
                draft.storeId,
                draft.eventsRoot,
                draft.stateRoot,
                draft.start,
                draft.end,
                draft.count
            )
        );
        vm.prank(sender);
        return address(anchored).call(data);
    }
}
