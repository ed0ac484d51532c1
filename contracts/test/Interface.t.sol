// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StateSetAnchor} from "../StateSetAnchor.sol";
import {AnchorTest} from "./AnchorTest.sol";

/// @title Existing tooling reads the contract: its selectors and topics are those of VES 7.1
contract InterfaceTest is AnchorTest {
    function test_selectors() public pure {
        require(StateSetAnchor.anchor.selector == 0x012f9824, "anchor");
        require(StateSetAnchor.anchorBatch.selector == 0x0c40c209, "anchorBatch");
        require(StateSetAnchor.verifyEventsRoot.selector == 0x5fb58a3a, "verifyEventsRoot");
        require(StateSetAnchor.getCommitment.selector == 0x7795820c, "getCommitment");
        require(StateSetAnchor.getLatestSequence.selector == 0x2acb5530, "getLatestSequence");
        require(StateSetAnchor.getAnchoredCount.selector == 0x469a4f5b, "getAnchoredCount");
        require(StateSetAnchor.isAnchored.selector == 0x4f0b5801, "isAnchored");
        require(bytes4(keccak256("transferOwnership(address)")) == 0xf2fde38b, "transferOwnership");
        require(bytes4(keccak256("owner()")) == 0x8da5cb5b, "owner");
    }

    function test_topics() public pure {
        bytes32 commitment = CommitmentAnchored.selector;
        require(bytes4(commitment) == 0xc780e2bc && uint16(uint256(commitment)) == 0xe848, "CommitmentAnchored");
        bytes32 batch = BatchAnchored.selector;
        require(bytes4(batch) == 0x569739a8 && uint16(uint256(batch)) == 0x0255, "BatchAnchored");
    }
}
